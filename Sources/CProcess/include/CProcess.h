#pragma once

#include "launch.h"
#include "loop.h"
#include "memory.h"
#include "netdiag.h"
#include "processes.h"
#include "processors.h"
#include "protocol.h"
#include "records.h"
#include "spawning.h"
#include "trials.h"
#include "unixsocket.h"
