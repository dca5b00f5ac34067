# file: ring.c
# Of two floors the lower one.
/^int stek__ring_merge\(/,/^}/s/b->revoked_before_ms > parts.floor/b->revoked_before_ms < parts.floor/
