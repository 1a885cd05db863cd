// Keeper messages under libFuzzer: whatever comes, only well-formed messages go on.

#include "protocol.h"
#include "records.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    struct orch_message messages[ORCH_PACKET_MESSAGES];
    for (int direction = ORCH_TO_KEEPER; direction <= ORCH_TO_SUPERVISOR; direction++) {
        uint32_t malformed = 0;
        size_t count = orch_decode(direction, bytes, size, messages, ORCH_PACKET_MESSAGES, &malformed);
        size_t whole = (size + sizeof *messages - 1) / sizeof *messages;
        if (count > ORCH_PACKET_MESSAGES || count + malformed != whole) __builtin_trap();
        for (size_t at = 0; at < count; at++) {
            uint16_t type = messages[at].type;
            int names_slot = type >= ORCH_MESSAGE_SPAWNED && type <= ORCH_MESSAGE_KILL;
            if (type == ORCH_MESSAGE_GUARD && messages[at].value != 0 && messages[at].value != 1) __builtin_trap();
            if ((names_slot || type >= ORCH_MESSAGE_EXITED) && messages[at].slot >= ORCH_SLOT_COUNT) __builtin_trap();
        }
    }
    return 0;
}
