# file: schedule.c
# The last key seals for ever.
s/if \(now_ms >= stek__schedule_seal_until\(policy, latest\.key\)\)/if (0)/
