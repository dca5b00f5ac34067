# file: merge.c
# The store's ring is taken as it is.
s/err = stek__ring_merge\(&all, kept, theirs\);/err = stek__ring_prune(\&all, theirs, 0);/
