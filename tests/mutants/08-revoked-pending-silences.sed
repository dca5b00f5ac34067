# file: schedule.c
# A key revoked before its activation counts, and silences.
s/if \(revoked_at_ms && revoked_at_ms < activate_at_ms\)/if (0)/
