#pragma once
#include "loop.h"
#include "netdiag.h"
