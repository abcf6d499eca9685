"""What has nothing to do with neurons: files, caches, locks, processes, threads, the machine."""
