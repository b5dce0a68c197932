-- The BRIN index over the journal knows every row, whoever summarised its
-- ranges and when.
SET client_min_messages = warning;
CREATE EXTENSION leadroute;
CREATE TABLE lead (id bigserial PRIMARY KEY, owner text);
SELECT leadroute.attach('lead', 'owner');
INSERT INTO leadroute.member (name) VALUES ('anna'), ('boris');
INSERT INTO leadroute.rule (name) VALUES ('all');
-- What is found by the index, and what there is.
CREATE FUNCTION found() RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	by_index bigint;
	plan text;
	line text;
BEGIN
	SET LOCAL enable_seqscan = off;
	FOR line IN EXPLAIN (COSTS OFF) SELECT count(*) FROM leadroute.journal WHERE id > 0 LOOP
		plan := concat(plan, line);
	END LOOP;
	IF plan NOT LIKE '%Bitmap Index Scan on journal_order%' THEN
		RAISE EXCEPTION 'another plan: %', plan;
	END IF;
	SELECT count(*) INTO by_index FROM leadroute.journal WHERE id > 0;
	SET LOCAL enable_seqscan = on;
	SET LOCAL enable_bitmapscan = off;
	RETURN format('%s of %s', by_index, (SELECT count(*) FROM leadroute.journal));
END
$$;
INSERT INTO lead DEFAULT VALUES;
SELECT found();
-- The last range is not full; it loses its summary, and gets one again.
SELECT brin_desummarize_range('leadroute.journal_order', 0);
INSERT INTO lead DEFAULT VALUES;
SELECT found();
SELECT brin_summarize_new_values('leadroute.journal_order');
INSERT INTO lead DEFAULT VALUES;
INSERT INTO lead SELECT FROM generate_series(1, 10);
SELECT found();
-- Another file of the index, in which the range has a summary.
REINDEX INDEX leadroute.journal_order;
INSERT INTO lead DEFAULT VALUES;
SELECT found();
-- Ranges of a page each: so many that their map needs a second page.
ALTER INDEX leadroute.journal_order SET (pages_per_range = 1);
REINDEX INDEX leadroute.journal_order;
INSERT INTO lead SELECT FROM generate_series(1, 120000);
SELECT pg_relation_size('leadroute.journal') / 8192 > 1360 AS more_than_a_page_maps;
SELECT found();
SELECT brin_summarize_new_values('leadroute.journal_order') > 1360 AS summarised;
INSERT INTO lead DEFAULT VALUES;
INSERT INTO lead SELECT FROM generate_series(1, 200);
SELECT found();
-- Who asked for summaries of new ranges gets them: the index hears of each row.
ALTER INDEX leadroute.journal_order SET (autosummarize = on);
INSERT INTO lead SELECT FROM generate_series(1, 200);
SELECT found();
SELECT * FROM leadroute.verify();

DROP TABLE lead;
DROP FUNCTION found;
DROP EXTENSION leadroute;
DROP SCHEMA leadroute;
