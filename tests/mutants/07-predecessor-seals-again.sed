# file: schedule.c
# A revoked key does not count, so the one before it seals.
s/if \(revoked_at_ms && revoked_at_ms < activate_at_ms\)/if (revoked_at_ms)/
