# file: merge.c
# A ring of a lower epoch is installed, the union with ours not.
s/^(\tif \(less \|\| stale\))$/\tif (theirs->version.epoch < ours->version.epoch)\n\t\tstek__sync_install(sync, stek__ring_ref((struct stek_ring *)theirs));\n\telse if (less || stale)/
