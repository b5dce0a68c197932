-- Notes where the backend stands (see timed in common.sh).
SELECT pg_backend_pid() AS bench_pid \gset
\setenv BENCH_PID :bench_pid
\set bench_cpu `cut -d ' ' -f 1 /proc/$BENCH_PID/schedstat 2>/dev/null || echo 0`
SELECT clock_timestamp() AS bench_time \gset
