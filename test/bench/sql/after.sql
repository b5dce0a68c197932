SELECT extract(epoch FROM clock_timestamp() - :'bench_time'::timestamptz) AS bench_seconds \gset
\set bench_cpu_now `cut -d ' ' -f 1 /proc/$BENCH_PID/schedstat 2>/dev/null || echo 0`
SELECT :bench_seconds, round((:bench_cpu_now - :bench_cpu) / 1e9, 6);
