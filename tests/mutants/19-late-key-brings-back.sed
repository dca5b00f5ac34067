# file: late.c
# While a key yields, one that sealed before the last takes its place.
/^static uint64_t bits\(/,/^}/s/stek__key_order\(key, sealing\) < 0 \|\| //
