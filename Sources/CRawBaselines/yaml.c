#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <yaml.h>

#include "CRawBaselines.h"

static uint64_t now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

uint64_t raw_yaml_parse(const char *path) {
    uint64_t start = now();
    FILE *file = fopen(path, "rb");
    if (file == NULL) return 0;
    yaml_parser_t parser;
    yaml_event_t event;
    yaml_parser_initialize(&parser);
    yaml_parser_set_input_file(&parser, file);
    int done = 0, failed = 0;
    while (!done && !failed) {
        failed = !yaml_parser_parse(&parser, &event);
        if (failed) break;
        done = event.type == YAML_STREAM_END_EVENT;
        yaml_event_delete(&event);
    }
    yaml_parser_delete(&parser);
    fclose(file);
    return failed ? 0 : now() - start;
}
