# file: schedule.c
# A key opens tickets past its end, until its secret is wiped.
/^static enum stek_state state_of\(/,/^}/s/if \(now_ms >= key->expire_at_ms\)/if (0)/
