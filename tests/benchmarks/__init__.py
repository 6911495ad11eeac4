"""Stories about the benchmarks: that they run, and that they notice what is wrong."""
