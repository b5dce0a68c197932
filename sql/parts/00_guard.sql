\echo Use "CREATE EXTENSION leadroute" to load this file. \quit

-- The Makefile joins the parts of this directory, in the order of their
-- numbers, into sql/leadroute--<version>.sql.  A part is one concern.

COMMENT ON SCHEMA leadroute IS 'leadroute: decides, inside each INSERT, who owns a sales lead';
