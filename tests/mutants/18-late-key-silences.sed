# file: schedule.c
# A key that came late yields though no other may seal.
s/^\treturn other \? other : due;/\treturn other;/
