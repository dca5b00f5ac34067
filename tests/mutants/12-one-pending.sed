# file: schedule.c
# One pending key instead of two.
/^size_t stek__schedule_missing\(/,/^}/s/i <= policy->pending/i < policy->pending/
