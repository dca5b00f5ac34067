# file: schedule.c
# The newest key seals before its time.
/^static void consider\(/,/^}/s/if \(activate_at_ms > now_ms\)/if (activate_at_ms > now_ms + 3000)/
