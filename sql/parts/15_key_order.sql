-- The order of lead keys in the index of current rows: the shorter first, then
-- byte by byte.  So the keys of a counter ascend as its numbers do, and each
-- new lead goes to the index's right end; and two keys are compared with next
-- to no work.  Equality is text's own, so that any "lead_key = …" finds the
-- index.  (With the order of text, "10" would come before "9".)

CREATE FUNCTION leadroute.key_cmp(text, text) RETURNS integer
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF AS 'MODULE_PATHNAME', 'lr_key_cmp';
COMMENT ON FUNCTION leadroute.key_cmp(text, text) IS 'Compares two lead keys, the shorter first, then by bytes: below, above or 0.';

CREATE FUNCTION leadroute.key_lt(text, text) RETURNS boolean
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF AS 'MODULE_PATHNAME', 'lr_key_lt';
COMMENT ON FUNCTION leadroute.key_lt(text, text) IS 'Implementation of operator <#.';

CREATE FUNCTION leadroute.key_le(text, text) RETURNS boolean
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF AS 'MODULE_PATHNAME', 'lr_key_le';
COMMENT ON FUNCTION leadroute.key_le(text, text) IS 'Implementation of operator <=#.';

CREATE FUNCTION leadroute.key_ge(text, text) RETURNS boolean
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF AS 'MODULE_PATHNAME', 'lr_key_ge';
COMMENT ON FUNCTION leadroute.key_ge(text, text) IS 'Implementation of operator >=#.';

CREATE FUNCTION leadroute.key_gt(text, text) RETURNS boolean
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF AS 'MODULE_PATHNAME', 'lr_key_gt';
COMMENT ON FUNCTION leadroute.key_gt(text, text) IS 'Implementation of operator >#.';

CREATE OPERATOR leadroute.<# (FUNCTION = leadroute.key_lt, LEFTARG = text, RIGHTARG = text,
	COMMUTATOR = OPERATOR(leadroute.>#), NEGATOR = OPERATOR(leadroute.>=#),
	RESTRICT = scalarltsel, JOIN = scalarltjoinsel);
CREATE OPERATOR leadroute.<=# (FUNCTION = leadroute.key_le, LEFTARG = text, RIGHTARG = text,
	COMMUTATOR = OPERATOR(leadroute.>=#), NEGATOR = OPERATOR(leadroute.>#),
	RESTRICT = scalarlesel, JOIN = scalarlejoinsel);
CREATE OPERATOR leadroute.>=# (FUNCTION = leadroute.key_ge, LEFTARG = text, RIGHTARG = text,
	COMMUTATOR = OPERATOR(leadroute.<=#), NEGATOR = OPERATOR(leadroute.<#),
	RESTRICT = scalargesel, JOIN = scalargejoinsel);
CREATE OPERATOR leadroute.># (FUNCTION = leadroute.key_gt, LEFTARG = text, RIGHTARG = text,
	COMMUTATOR = OPERATOR(leadroute.<#), NEGATOR = OPERATOR(leadroute.<=#),
	RESTRICT = scalargtsel, JOIN = scalargtjoinsel);
COMMENT ON OPERATOR leadroute.<# (text, text) IS 'comes before, in the order of lead keys';
COMMENT ON OPERATOR leadroute.<=# (text, text) IS 'comes before or is equal, in the order of lead keys';
COMMENT ON OPERATOR leadroute.>=# (text, text) IS 'comes after or is equal, in the order of lead keys';
COMMENT ON OPERATOR leadroute.># (text, text) IS 'comes after, in the order of lead keys';

CREATE OPERATOR FAMILY leadroute.key_ops USING btree;
COMMENT ON OPERATOR FAMILY leadroute.key_ops USING btree IS 'The order of lead keys: the shorter first, then by bytes.';
CREATE OPERATOR CLASS leadroute.key_ops FOR TYPE text USING btree FAMILY leadroute.key_ops AS
	OPERATOR 1 leadroute.<#, OPERATOR 2 leadroute.<=#, OPERATOR 3 pg_catalog.=,
	OPERATOR 4 leadroute.>=#, OPERATOR 5 leadroute.>#,
	FUNCTION 1 leadroute.key_cmp(text, text),
	FUNCTION 4 pg_catalog.btequalimage(oid);
COMMENT ON OPERATOR CLASS leadroute.key_ops USING btree IS 'The order of lead keys: the shorter first, then by bytes.';
