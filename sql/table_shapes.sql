-- The same story over every shape of lead table that an app may have: insert,
-- COPY, upserts, MERGE, a move by hand, close, delete, route, route_all, assign,
-- why, explain.  Each shape has a router of its own with the same members, so
-- what happens has to be the same, word for word.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE EXTENSION leadroute;

-- One shape: how its columns are written.
CREATE TABLE shape (
	name		text PRIMARY KEY,
	relation	text NOT NULL,			-- that leads are written into
	key			text DEFAULT '%s',		-- the value of its column id for number n,
	digits		integer DEFAULT 1,		-- written with so many digits at least
	keys		text DEFAULT 'id',		-- columns of a conflict
	lead_key	text DEFAULT '%s',		-- as leadroute writes it
	overriding	text DEFAULT '',
	copies		boolean DEFAULT true,	-- it can be copied into,
	merges		boolean DEFAULT true,	-- has MERGE
	upserts		boolean DEFAULT true);	-- and ON CONFLICT

CREATE FUNCTION tell(shape text, relation text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	result text;
BEGIN
	EXECUTE format($q$
		SELECT string_agg(coalesce(l.owner, '-') || CASE WHEN a.n IS DISTINCT FROM 1 OR a.member IS DISTINCT FROM l.owner THEN '?' ELSE '' END, ' ' ORDER BY l.email)
		FROM %s l LEFT JOIN (SELECT lead_key, count(*) AS n, min(member) AS member FROM leadroute.assignment
			WHERE is_current AND routed_table = %L GROUP BY lead_key) a
		ON a.lead_key = format((SELECT s.lead_key FROM shape s WHERE s.name = %L), l.id)$q$, relation, shape, shape) INTO result;
	RETURN concat(result, (SELECT ' DISAGREEMENT ' || string_agg(v::text, ' ') FROM leadroute.verify() v));
END
$$;

-- The story; a line a step.
CREATE FUNCTION story(name text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
	s shape;
	said text;
	k text[];
	l text[];
	n integer;
BEGIN
	SELECT * INTO s FROM shape WHERE shape.name = story.name;
	SELECT array_agg(quote_literal(v) ORDER BY g), array_agg(format(s.lead_key, v) ORDER BY g) INTO k, l
		FROM generate_series(1, 13) g, format(s.key, lpad(g::text, greatest(s.digits, length(g::text)), '0')) v;
	EXECUTE format('WITH i AS (INSERT INTO %s (id, email) %s VALUES (%s, ''01'') RETURNING owner) SELECT owner FROM i', s.relation, s.overriding, k[1]) INTO said;
	RETURN NEXT 'insert: ' || coalesce(said, '-');
	EXECUTE format('WITH i AS (INSERT INTO %s (id, email) %s VALUES (%s, ''02''), (%s, ''03''), (%s, ''04'') RETURNING email, owner)
		SELECT string_agg(owner, '' '' ORDER BY email) FROM i', s.relation, s.overriding, k[2], k[3], k[4]) INTO said;
	RETURN NEXT 'insert three: ' || coalesce(said, '-');
	IF s.copies THEN
		EXECUTE format('COPY %s (id, email) FROM PROGRAM %L', s.relation, format($p$printf '%%s\t%%s\n' %s 05 %s 06$p$, k[5], k[6]));
	ELSE
		EXECUTE format('INSERT INTO %s (id, email) VALUES (%s, ''05''), (%s, ''06'')', s.relation, k[5], k[6]);
	END IF;
	RETURN NEXT 'copy: ' || tell(name, s.relation);
	IF s.upserts THEN
		EXECUTE format('INSERT INTO %s (id, email) %s VALUES (%s, ''01''), (%s, ''07'') ON CONFLICT (%s) DO NOTHING', s.relation, s.overriding, k[1], k[7], s.keys);
		EXECUTE format('INSERT INTO %s (id, email) %s VALUES (%s, ''01''), (%s, ''08'') ON CONFLICT (%s) DO UPDATE SET owner = EXCLUDED.owner, note = ''again''',
			s.relation, s.overriding, k[1], k[8], s.keys);
		RETURN NEXT 'upserts: ' || tell(name, s.relation);
		EXECUTE format('INSERT INTO %s (id, email, owner) %s VALUES (%s, ''01'', ''chiara''), (%s, ''09'', ''anna'') ON CONFLICT (%s) DO UPDATE SET owner = EXCLUDED.owner',
			s.relation, s.overriding, k[1], k[9], s.keys);
	ELSE
		EXECUTE format('INSERT INTO %s (id, email) %s VALUES (%s, ''07'')', s.relation, s.overriding, k[7]);
		EXECUTE format('INSERT INTO %s (id, email) %s VALUES (%s, ''08'')', s.relation, s.overriding, k[8]);
		RETURN NEXT 'upserts: ' || tell(name, s.relation);
		EXECUTE format('INSERT INTO %s (id, email, owner) %s VALUES (%s, ''09'', ''anna'')', s.relation, s.overriding, k[9]);
		EXECUTE format('UPDATE %s SET owner = ''chiara'' WHERE id = %s', s.relation, k[1]);
	END IF;
	RETURN NEXT 'upsert of owners: ' || tell(name, s.relation);
	IF s.merges THEN
		EXECUTE format('MERGE INTO %s l USING (VALUES (%s, ''02''), (%s, ''10'')) m (id, email) ON l.email = m.email
			WHEN MATCHED THEN UPDATE SET note = ''merged'' WHEN NOT MATCHED THEN INSERT (id, email) %s VALUES (%s, m.email)',
			s.relation, k[2], k[10], s.overriding, k[10]);
	ELSE
		EXECUTE format('INSERT INTO %s (id, email) %s VALUES (%s, ''10'')', s.relation, s.overriding, k[10]);
	END IF;
	RETURN NEXT 'merge: ' || tell(name, s.relation);
	EXECUTE format('UPDATE %s SET owner = ''bruno'' WHERE id = %s', s.relation, k[3]);
	EXECUTE format('UPDATE %s SET stage = ''won'' WHERE id IN (%s, %s)', s.relation, k[4], k[5]);
	EXECUTE format('DELETE FROM %s WHERE id = %s', s.relation, k[6]);
	RETURN NEXT 'moved, closed, deleted: ' || tell(name, s.relation);
	PERFORM set_config('leadroute.routing', 'off', true);
	EXECUTE format('INSERT INTO %s (id, email) %s VALUES (%s, ''11''), (%s, ''12''), (%s, ''13'')', s.relation, s.overriding, k[11], k[12], k[13]);
	PERFORM set_config('leadroute.routing', 'on', true);
	RETURN NEXT 'route: ' || leadroute.route(name, l[11]);
	CALL leadroute.route_all(name, 'email > ''12''');
	CALL leadroute.route_all(name, batch_size => 1);
	RETURN NEXT 'route_all: ' || tell(name, s.relation);
	PERFORM leadroute.assign(name, l[13], 'bruno', 'by hand');
	RETURN NEXT 'assign: ' || tell(name, s.relation);
	SELECT count(*) INTO n FROM leadroute.why(name, l[13]);
	RETURN NEXT 'why: ' || n || ' sentences; explain: ' || (SELECT count(*) > 3 FROM leadroute.explain(name, l[13]));
	RETURN NEXT (SELECT 'load: ' || string_agg(m.name || ' ' || c.load, ', ' ORDER BY m.name)
		FROM leadroute.member m LEFT JOIN leadroute.member_counter() c ON c.member = m.id WHERE m.router = story.name);
	RETURN NEXT (SELECT 'decisions: ' || string_agg(d.kind || ' ' || d.n, ', ' ORDER BY d.kind)
		FROM (SELECT kind, count(*) AS n FROM leadroute.assignment a WHERE a.routed_table = story.name GROUP BY kind) d);
END
$$;

-- Attaches a table as a shape and tells its story: what differs from the plain
-- one's.
CREATE TABLE told (shape text, line bigint, said text);
CREATE FUNCTION try_shape(name text, relation regclass) RETURNS SETOF text LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO leadroute.router (name) VALUES (try_shape.name);
	PERFORM leadroute.attach(relation, 'owner', name => try_shape.name, router => try_shape.name, closed_when => 'stage = ''won''');
	INSERT INTO leadroute.member (router, name) SELECT try_shape.name, m FROM unnest('{anna,bruno,chiara}'::text[]) m;
	INSERT INTO leadroute.rule (router, name) VALUES (try_shape.name, 'everyone');
	INSERT INTO told SELECT try_shape.name, s.i, s.said FROM story(try_shape.name) WITH ORDINALITY s (said, i);
	IF EXISTS (SELECT FROM told p FULL JOIN (SELECT * FROM told WHERE shape = try_shape.name) t USING (line)
		WHERE p.shape = 'plain' AND p.said IS DISTINCT FROM t.said) THEN
		RETURN QUERY SELECT format('%s, plain: %s', t.said, p.said) FROM told p JOIN told t USING (line)
			WHERE p.shape = 'plain' AND t.shape = try_shape.name AND p.said IS DISTINCT FROM t.said ORDER BY line;
	ELSE
		RETURN NEXT 'as the plain one';
	END IF;
END
$$;

\echo == plain
CREATE TABLE plain (id integer PRIMARY KEY, email text, note text, stage text DEFAULT 'new', owner text);
INSERT INTO shape VALUES ('plain', 'plain');
SELECT try_shape('plain', 'plain');
SELECT said FROM told ORDER BY line;

\echo == identity columns, generated columns, domains, a key of two columns, a uuid
CREATE TABLE by_default (id bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY, email text, note text, stage text DEFAULT 'new', owner text);
INSERT INTO shape VALUES ('by_default', 'by_default');
SELECT try_shape('by_default', 'by_default');
CREATE TABLE always (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, email text, note text, stage text DEFAULT 'new', owner text);
INSERT INTO shape (name, relation, overriding) VALUES ('always', 'always', 'OVERRIDING SYSTEM VALUE');
SELECT try_shape('always', 'always');
CREATE TABLE generated (before text GENERATED ALWAYS AS (upper(note) || '!') STORED, id integer PRIMARY KEY, email text, note text DEFAULT 'n', stage text DEFAULT 'new',
	is_won boolean GENERATED ALWAYS AS (stage = 'won') STORED, owner text, shown text GENERATED ALWAYS AS (coalesce('#' || owner, 'nobody')) STORED);
INSERT INTO shape VALUES ('generated', 'generated');
SELECT try_shape('generated', 'generated');
SELECT count(*) FROM generated WHERE shown IS DISTINCT FROM coalesce('#' || owner, 'nobody');
CREATE DOMAIN lead_id AS integer CHECK (VALUE > 0);
CREATE DOMAIN rep AS text CHECK (VALUE <> '') CHECK (VALUE = lower(VALUE));
CREATE TABLE domains (id lead_id PRIMARY KEY, email text, note text, stage text DEFAULT 'new', owner rep);
INSERT INTO shape VALUES ('domains', 'domains');
SELECT try_shape('domains', 'domains');
CREATE TABLE composite (org integer DEFAULT 7, id integer, email text, note text, stage text DEFAULT 'new', owner text, PRIMARY KEY (org, id));
INSERT INTO shape (name, relation, keys, lead_key) VALUES ('composite', 'composite', 'org, id', '(7,%s)');
SELECT try_shape('composite', 'composite');
CREATE TABLE uuids (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), email text, note text, stage text DEFAULT 'new', owner text);
INSERT INTO shape (name, relation, key, digits) VALUES ('uuids', 'uuids', '00000000-0000-4000-8000-%s', 12);
SELECT try_shape('uuids', 'uuids');
INSERT INTO uuids (email) VALUES ('default') RETURNING owner;
CREATE TABLE text_key (id varchar(20) COLLATE "C" PRIMARY KEY, email text, note text, stage text DEFAULT 'new', owner varchar(20));
INSERT INTO shape (name, relation, key, digits) VALUES ('text_key', 'text_key', 'L-%s, "x"', 2);
SELECT try_shape('text_key', 'text_key');

\echo == partitions: by list, range, hash, of partitions, with another order of columns
CREATE TABLE by_list (id integer, email text, note text, stage text DEFAULT 'new', owner text, region text DEFAULT 'eu', PRIMARY KEY (id, region)) PARTITION BY LIST (region);
CREATE TABLE by_list_eu PARTITION OF by_list FOR VALUES IN ('eu');
INSERT INTO shape (name, relation, keys, lead_key) VALUES ('by_list', 'by_list', 'id, region', '(%s,eu)');
SELECT try_shape('by_list', 'by_list');
CREATE TABLE by_range (id integer PRIMARY KEY, email text, note text, stage text DEFAULT 'new', owner text) PARTITION BY RANGE (id);
CREATE TABLE by_range_1 PARTITION OF by_range FOR VALUES FROM (0) TO (4);
CREATE TABLE by_range_2 (owner text, dropped text, note text, id integer NOT NULL, stage text DEFAULT 'new', email text);
ALTER TABLE by_range_2 DROP COLUMN dropped;
ALTER TABLE by_range ATTACH PARTITION by_range_2 FOR VALUES FROM (4) TO (9);
CREATE TABLE by_range_3 PARTITION OF by_range DEFAULT;
INSERT INTO shape (name, relation) VALUES ('by_range', 'by_range');
SELECT try_shape('by_range', 'by_range');
CREATE TABLE by_hash (id integer PRIMARY KEY, email text, note text, stage text DEFAULT 'new', owner text) PARTITION BY HASH (id);
CREATE TABLE by_hash_1 PARTITION OF by_hash FOR VALUES WITH (MODULUS 2, REMAINDER 0) PARTITION BY RANGE (id);
CREATE TABLE by_hash_1_1 PARTITION OF by_hash_1 DEFAULT;
CREATE TABLE by_hash_2 PARTITION OF by_hash FOR VALUES WITH (MODULUS 2, REMAINDER 1);
INSERT INTO shape (name, relation) VALUES ('by_hash', 'by_hash');
SELECT try_shape('by_hash', 'by_hash');

-- A filled partition is attached: route_all decides its leads.  One that is
-- detached takes its leads along.
CREATE TABLE by_list_us (LIKE by_list INCLUDING ALL);
INSERT INTO by_list_us (id, email, region, owner) VALUES (1, '21', 'us', NULL), (2, '22', 'us', 'bruno'), (3, '23', 'us', NULL);
ALTER TABLE by_list ATTACH PARTITION by_list_us FOR VALUES IN ('us');
SELECT what, subject FROM leadroute.verify() ORDER BY subject;
CALL leadroute.route_all('by_list');
SELECT email, owner FROM by_list WHERE region = 'us' ORDER BY email;
SELECT what, subject FROM leadroute.verify() ORDER BY subject;
SELECT leadroute.attach('by_list', 'owner', name => 'by_list');
ALTER TABLE by_list DETACH PARTITION by_list_us;
SELECT what, subject FROM leadroute.verify() ORDER BY subject;
SELECT leadroute.release_missing('by_list');
SELECT * FROM leadroute.verify();

\echo == other triggers, before and after those of leadroute; a foreign key; unlogged
CREATE TABLE log (what text);
CREATE FUNCTION own_trigger() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO log VALUES (TG_NAME);
	IF TG_WHEN = 'BEFORE' AND TG_OP <> 'DELETE' THEN NEW.note := concat(NEW.note, ' ', TG_NAME); END IF;
	RETURN coalesce(NEW, OLD);
END$$;
CREATE TABLE triggers (id integer PRIMARY KEY, email text, note text, stage text DEFAULT 'new', owner text);
CREATE TRIGGER aa_before BEFORE INSERT OR UPDATE OR DELETE ON triggers FOR EACH ROW EXECUTE FUNCTION own_trigger();
CREATE TRIGGER zz_zz_before BEFORE INSERT OR UPDATE OR DELETE ON triggers FOR EACH ROW EXECUTE FUNCTION own_trigger();
CREATE TRIGGER aa_after AFTER INSERT OR UPDATE OR DELETE ON triggers FOR EACH ROW EXECUTE FUNCTION own_trigger();
CREATE TRIGGER zz_zz_after AFTER INSERT OR UPDATE OR DELETE ON triggers FOR EACH ROW EXECUTE FUNCTION own_trigger();
CREATE CONSTRAINT TRIGGER at_commit AFTER INSERT OR UPDATE ON triggers DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION own_trigger();
INSERT INTO shape (name, relation) VALUES ('triggers', 'triggers');
SELECT try_shape('triggers', 'triggers');
SELECT what, count(*) FROM log GROUP BY what ORDER BY what;
CREATE TABLE rep_row (name text PRIMARY KEY);
INSERT INTO rep_row VALUES ('anna'), ('bruno'), ('chiara');
CREATE TABLE referring (id integer PRIMARY KEY, email text, note text, stage text DEFAULT 'new', owner text REFERENCES rep_row ON UPDATE CASCADE ON DELETE SET NULL DEFERRABLE INITIALLY DEFERRED);
INSERT INTO shape (name, relation) VALUES ('referring', 'referring');
SELECT try_shape('referring', 'referring');
CREATE UNLOGGED TABLE unlogged (id integer PRIMARY KEY, email text, note text, stage text DEFAULT 'new', owner text);
INSERT INTO shape (name, relation) VALUES ('unlogged', 'unlogged');
SELECT try_shape('unlogged', 'unlogged');

\echo == row security that holds for the owner of the table, too; views that write into the table, by themselves and by INSTEAD OF triggers
CREATE ROLE shapes_owner;
GRANT CREATE ON SCHEMA public TO shapes_owner;
CREATE TABLE secured (id integer PRIMARY KEY, email text, note text, stage text DEFAULT 'new', owner text);
ALTER TABLE secured OWNER TO shapes_owner;
ALTER TABLE secured ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY all_rows ON secured USING (true);
INSERT INTO shape (name, relation) VALUES ('secured', 'secured');
SELECT try_shape('secured', 'secured');
CREATE TABLE under_view (id integer PRIMARY KEY, email text, note text, stage text DEFAULT 'new', owner text);
CREATE VIEW simple_view AS SELECT id, email, note, stage, owner FROM under_view;
INSERT INTO shape (name, relation, copies, merges) VALUES ('under_view', 'simple_view', false, false);
SELECT try_shape('under_view', 'under_view');
CREATE TABLE under_instead (id integer PRIMARY KEY, email text, note text, stage text DEFAULT 'new', owner text);
CREATE VIEW instead_view AS SELECT DISTINCT id, email, note, stage, owner FROM under_instead;
CREATE FUNCTION write_through() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF TG_OP = 'INSERT' THEN
		INSERT INTO under_instead (id, email, note, owner) VALUES (NEW.id, NEW.email, NEW.note, NEW.owner) RETURNING * INTO NEW;
	ELSIF TG_OP = 'UPDATE' THEN
		UPDATE under_instead SET (note, stage, owner) = (NEW.note, NEW.stage, NEW.owner) WHERE id = OLD.id;
	ELSE
		DELETE FROM under_instead WHERE id = OLD.id;
		RETURN OLD;
	END IF;
	RETURN NEW;
END$$;
CREATE TRIGGER write_through INSTEAD OF INSERT OR UPDATE OR DELETE ON instead_view FOR EACH ROW EXECUTE FUNCTION write_through();
INSERT INTO shape (name, relation, merges, upserts) VALUES ('under_instead', 'instead_view', false, false);
SELECT try_shape('under_instead', 'under_instead');

\echo == inheritance: the own rows of the parent are leads, those of its children are not
CREATE TABLE parent (id integer PRIMARY KEY, email text, note text, stage text DEFAULT 'new', owner text);
CREATE TABLE child (more text) INHERITS (parent);
INSERT INTO child (id, email) VALUES (1, '01'), (50, '50');
INSERT INTO leadroute.router (name) VALUES ('parent');
SELECT leadroute.attach('parent', 'owner', name => 'parent', router => 'parent');
INSERT INTO leadroute.member (router, name) VALUES ('parent', 'anna');
INSERT INTO leadroute.rule (router, name) VALUES ('parent', 'everyone');
INSERT INTO parent (id, email) VALUES (1, '01'), (2, '02') RETURNING id, owner;
INSERT INTO child (id, email) VALUES (51, '51') RETURNING id, owner;
UPDATE parent SET owner = 'anna', stage = 'seen';
CALL leadroute.route_all('parent');
SELECT tableoid::regclass, id, owner FROM parent ORDER BY 2, 1;
SELECT lead_key, kind, member FROM leadroute.assignment WHERE routed_table = 'parent' ORDER BY lead_key;
DELETE FROM parent WHERE id IN (1, 51);
SELECT * FROM leadroute.verify();
-- a child can be a lead table of its own
CREATE TABLE only_child (PRIMARY KEY (id)) INHERITS (parent);
INSERT INTO shape (name, relation) VALUES ('only_child', 'only_child');
SELECT try_shape('only_child', 'only_child');

\echo == what cannot be attached
CREATE TEMP TABLE temporary (id integer PRIMARY KEY, owner text);
SELECT leadroute.attach('temporary', 'owner', name => 'temporary', router => 'plain');
SELECT leadroute.attach('instead_view', 'owner', name => 'v', router => 'plain');
CREATE MATERIALIZED VIEW stale AS SELECT * FROM plain;
SELECT leadroute.attach('stale', 'owner', name => 'v', router => 'plain');

\echo == at the end all agree, also when all is counted anew
SELECT * FROM leadroute.verify();
SELECT count(*) FROM leadroute.problem WHERE what NOT IN ('later_trigger');
SELECT leadroute.rebuild() IS NOT NULL AS rebuilt;
SELECT * FROM leadroute.verify();

DROP VIEW simple_view, instead_view;
DROP MATERIALIZED VIEW stale;
DROP TABLE plain, by_default, always, generated, domains, composite, uuids, text_key, by_list, by_list_us, by_range, by_hash, triggers, log, referring, rep_row,
	unlogged, secured, under_view, under_instead, child, only_child, parent, temporary, shape, told;
DROP DOMAIN lead_id, rep;
DROP FUNCTION tell, story, try_shape, own_trigger, write_through;
REVOKE CREATE ON SCHEMA public FROM shapes_owner;
DROP ROLE shapes_owner;
DROP EXTENSION leadroute;
