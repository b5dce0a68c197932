-- The owner is set in the row that is stored: all other columns stay as they
-- were given, whatever their types, wherever the owner stands, and whether or not
-- others are NULL.
SET client_min_messages = warning;
CREATE EXTENSION leadroute;
SET leadroute.router = 'main';
INSERT INTO leadroute.router (name) VALUES ('main');
INSERT INTO leadroute.member (name, owner_value) VALUES ('anna', '11'), ('bruno', '22');
INSERT INTO leadroute.rule (name) VALUES ('everyone');

-- values of all widths and alignments, by number; some of them NULL, long,
-- compressed or out of line
CREATE FUNCTION value_of(type text, i integer) RETURNS text LANGUAGE sql AS $$
	SELECT CASE WHEN hashint4(i + 17 * length(type)) % 3 = 0 THEN NULL ELSE
		CASE type
			WHEN 'boolean' THEN (i % 2 = 0)::text
			WHEN 'smallint' THEN i::text
			WHEN 'integer' THEN (i * 1000)::text
			WHEN 'bigint' THEN (i * 10000000000)::text
			WHEN 'uuid' THEN md5(i::text)
			WHEN 'name' THEN 'name ' || i
			WHEN 'double precision' THEN (i / 8.0)::text
			WHEN 'numeric' THEN (i * 1.0001)::text
			WHEN 'bigint[]' THEN format('{%s,NULL,%s}', i, i * 3)
			WHEN 'text' THEN CASE i % 5
				WHEN 0 THEN ''
				WHEN 1 THEN repeat(md5(i::text), 4)
				WHEN 2 THEN repeat('x', 5000 + i)
				WHEN 3 THEN (SELECT string_agg(md5((i * 100 + g)::text), '') FROM generate_series(1, 200) g)
				ELSE 'text ' || i END
			ELSE i::text
		END
	END;
$$;

-- A table with these columns and the owner after the first n of them, and 60
-- leads; how many are not what was given, or have no owner.
CREATE FUNCTION wrong(columns text[], n integer, owner_type text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
	result bigint;
	definition text[] := '{}';
	given text[] := '{}';
BEGIN
	PERFORM leadroute.detach('lead') FROM leadroute.routed_table WHERE name = 'lead';
	DROP TABLE IF EXISTS lead;
	FOR i IN 1 .. cardinality(columns) LOOP
		IF i = n + 1 THEN
			definition := definition || format('owner %s', owner_type);
		END IF;
		definition := definition || format('c%s %s', i, columns[i]);
		given := given || format('value_of(%L, g + %s)::%s AS c%s', columns[i], i, columns[i], i);
	END LOOP;
	IF n = cardinality(columns) THEN
		definition := definition || format('owner %s', owner_type);
	END IF;
	EXECUTE format('CREATE TABLE lead (gone integer, id integer PRIMARY KEY, %s)', array_to_string(definition, ', '));
	ALTER TABLE lead DROP COLUMN gone;
	PERFORM leadroute.attach('lead', 'owner', router => 'main');
	EXECUTE format('CREATE TEMP TABLE given AS SELECT g AS id, %s FROM generate_series(1, 60) g', array_to_string(given, ', '));
	EXECUTE format('INSERT INTO lead (id, %1$s) SELECT id, %1$s FROM given',
				   (SELECT string_agg('c' || i, ', ') FROM generate_series(1, cardinality(columns)) i));
	EXECUTE format('SELECT count(*) FROM given g FULL JOIN lead l USING (id)
		WHERE l.owner IS NULL OR l.owner::text NOT IN (SELECT owner_value FROM leadroute.member) OR ROW(%s) IS DISTINCT FROM ROW(%s)',
				   (SELECT string_agg('g.c' || i, ', ') FROM generate_series(1, cardinality(columns)) i),
				   (SELECT string_agg('l.c' || i, ', ') FROM generate_series(1, cardinality(columns)) i)) INTO result;
	DROP TABLE given;
	RETURN result;
END $$;

-- orders of the columns that put each type beside each other, all places of the
-- owner, types of the owner of all alignments
CREATE FUNCTION turned(a text[], by integer) RETURNS text[] LANGUAGE sql IMMUTABLE AS $$
	SELECT array_agg(a[1 + (i * (CASE by % 3 WHEN 0 THEN 1 WHEN 1 THEN 3 ELSE 7 END) + by) % cardinality(a)] ORDER BY i)
	FROM generate_series(1, cardinality(a)) i;
$$;
SELECT t.owner_type, count(*) AS tables, sum(wrong(turned('{boolean,text,bigint,smallint,uuid,integer,numeric,name,double precision,bigint[]}', by), (by * 3 + o::integer) % 11, t.owner_type)) AS wrong
	FROM unnest('{smallint,integer,bigint,text,varchar(5),char(2),name}'::text[]) WITH ORDINALITY t (owner_type, o), generate_series(0, 10) by
	GROUP BY t.owner_type ORDER BY t.owner_type;

-- an owner of sixteen bytes
UPDATE leadroute.member SET owner_value = md5(name)::uuid::text;
SELECT sum(wrong(turned('{boolean,text,bigint,smallint,uuid,integer,numeric,name,double precision,bigint[]}', by), by, 'uuid')) AS wrong
	FROM generate_series(0, 10) by;
SELECT leadroute.detach('lead') IS NOT NULL AS detached;
UPDATE leadroute.member SET owner_value = id;

-- The only column beside the key, and none that is NULL in the end.
SELECT wrong('{text}', 0, 'integer'), wrong('{text}', 1, 'bigint'), wrong('{integer}', 0, 'text');
SELECT leadroute.detach('lead') IS NOT NULL AS detached;
DROP TABLE lead;

-- A partition whose columns stand elsewhere; a column that was added later.
CREATE TABLE lead (id integer PRIMARY KEY, note text, owner integer, score bigint) PARTITION BY RANGE (id);
CREATE TABLE lead_1 (score bigint, note text, owner integer, id integer NOT NULL);
ALTER TABLE lead ATTACH PARTITION lead_1 FOR VALUES FROM (0) TO (100);
SELECT leadroute.attach('lead', 'owner', router => 'main') IS NOT NULL AS attached;
INSERT INTO lead SELECT g, 'note ' || g, NULL, g FROM generate_series(1, 9) g;
ALTER TABLE lead ADD COLUMN later text DEFAULT 'later';
INSERT INTO lead (id, note, score, later) VALUES (10, NULL, 10, 'new');
SELECT id, owner IS NOT NULL AS owned, note, score, later FROM lead ORDER BY id;
SELECT * FROM leadroute.verify();

SELECT leadroute.detach('lead') IS NOT NULL AS detached;
DROP TABLE lead;
DROP FUNCTION wrong, turned, value_of;
DROP EXTENSION leadroute;
