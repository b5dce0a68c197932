-- What must be true after any run: a row for each thing that is not.
SELECT format('%s: %s of %s leads have no owner', :'leads', count(*) FILTER (WHERE owner_id IS NULL), count(*))
	FROM :"leads" HAVING count(*) FILTER (WHERE owner_id IS NULL) > 0;
SELECT format('%s: %s leads, %s current assignments', :'leads', l.n, j.n)
	FROM (SELECT count(*) AS n FROM :"leads") l,
		(SELECT count(*) AS n FROM leadroute.journal j
			JOIN leadroute.routed_table t ON t.id = j.routed_table
			WHERE t.name = :'leads' AND NOT j.superseded AND j.member IS NOT NULL) j
	WHERE l.n <> j.n;
