-- Leads that were there before, and long work that others can watch.

CREATE PROCEDURE leadroute.route_all(lead_table text, filter text DEFAULT NULL, again boolean DEFAULT false, batch_size integer DEFAULT 1000)
LANGUAGE c AS 'MODULE_PATHNAME', 'lr_route_all';
COMMENT ON PROCEDURE leadroute.route_all(text, text, boolean, integer) IS
'Decides the leads of the table that have no owner and no decision yet, in the order of their keys, batch_size leads (1 to 100000) a transaction; a NOTICE tells what became of them. filter: SQL over the lead''s columns as a rule''s condition has it, with the rights of the caller, who must be able to SELECT the columns; leads for which it is not true, or raises an error, are left out; NULL: all. again: those too that were decided before and have no owner (held, released, suppressed, none), but not those that wait to be ready (routed_table.ready_when). It can be broken off at any time, called again, and called by several sessions at once beside live intake: each lead is decided once. Leads that somebody else has locked are tried once more at the end. One that cannot be updated is an event route_failed and stops nothing, unless 1000 in a row cannot. In a transaction block or a function all is one transaction. Watch it in leadroute.progress. Error: unknown table; a filter that is not valid; batch_size out of range.';

CREATE FUNCTION leadroute.progress_entry(OUT what text, OUT subject text, OUT state text, OUT done bigint, OUT total bigint, OUT detail text,
	OUT since timestamptz, OUT state_since timestamptz, OUT pid integer, OUT role oid)
RETURNS SETOF record
LANGUAGE c VOLATILE PARALLEL RESTRICTED AS 'MODULE_PATHNAME', 'lr_progress_entry';
COMMENT ON FUNCTION leadroute.progress_entry() IS 'Long work of this database as its processes tell it; what leadroute.progress reads.';

CREATE VIEW leadroute.progress AS
SELECT p.what,
	p.subject,
	p.state,
	p.done,
	p.total,
	p.done / nullif(extract(epoch FROM clock_timestamp() - p.state_since)::double precision, 0) AS rate,
	CASE WHEN p.done > 0 AND p.total >= p.done
		THEN (clock_timestamp() - p.state_since) * ((p.total - p.done)::double precision / p.done) END AS time_left,
	p.since,
	p.detail,
	p.pid,
	p.role::regrole::text AS role_name
FROM leadroute.progress_entry() p;
COMMENT ON VIEW leadroute.progress IS 'One row is long work that a session does now, whether its transaction has committed or not. It goes when the work ends, well or not.';
COMMENT ON COLUMN leadroute.progress.what IS 'The work: route_all.';
COMMENT ON COLUMN leadroute.progress.subject IS 'What it works on; route_all: the lead table.';
COMMENT ON COLUMN leadroute.progress.state IS 'route_all: collecting (which leads there are to decide), routing, retrying (leads that somebody else had locked).';
COMMENT ON COLUMN leadroute.progress.done IS 'How much is done; route_all: leads looked at.';
COMMENT ON COLUMN leadroute.progress.total IS 'Of how much. NULL: not known yet.';
COMMENT ON COLUMN leadroute.progress.rate IS 'How much was done a second in this state.';
COMMENT ON COLUMN leadroute.progress.time_left IS 'How long it takes at that rate. NULL: not known yet.';
COMMENT ON COLUMN leadroute.progress.since IS 'When it began.';
COMMENT ON COLUMN leadroute.progress.detail IS 'In prose, what has come of it so far. NULL: nothing to add.';
COMMENT ON COLUMN leadroute.progress.pid IS 'Process that does it, as in pg_stat_activity.';
COMMENT ON COLUMN leadroute.progress.role_name IS 'Who has called for it.';
