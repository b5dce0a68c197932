-- Working time, for expressions and for people.

CREATE FUNCTION leadroute.is_open(schedule text DEFAULT NULL, at timestamptz DEFAULT now(), member text DEFAULT NULL, team text DEFAULT NULL, router text DEFAULT NULL) RETURNS boolean
LANGUAGE c STABLE PARALLEL RESTRICTED AS 'MODULE_PATHNAME', 'lr_is_open';
COMMENT ON FUNCTION leadroute.is_open(text, timestamptz, text, text, text) IS
'Whether it is working time at a moment: by a schedule, by the one of a member, by the one of a team; of several named all count, and without any it is always. Absences do not count. Local time is the member''s zone, else the schedule''s, else the router''s; a time that the clock skips comes when it jumps, of one that it shows twice the first counts. router: the one that decides, outside of a decision the default one. NULL: at is NULL. Error: unknown names, a moment that is infinite.';

CREATE FUNCTION leadroute.next_opening(schedule text DEFAULT NULL, at timestamptz DEFAULT now(), member text DEFAULT NULL, team text DEFAULT NULL, router text DEFAULT NULL) RETURNS timestamptz
LANGUAGE c STABLE PARALLEL RESTRICTED AS 'MODULE_PATHNAME', 'lr_next_opening';
COMMENT ON FUNCTION leadroute.next_opening(text, timestamptz, text, text, text) IS
'The first moment from at on that is working time, as is_open says: at itself if it is. NULL: there is none within 400 days after at and the last holiday (hours that never meet), or at is NULL. Errors as is_open.';

CREATE FUNCTION leadroute.working_time(schedule text, since timestamptz, until timestamptz, member text DEFAULT NULL, team text DEFAULT NULL, router text DEFAULT NULL) RETURNS interval
LANGUAGE c STABLE PARALLEL RESTRICTED AS 'MODULE_PATHNAME', 'lr_working_time';
COMMENT ON FUNCTION leadroute.working_time(text, timestamptz, timestamptz, text, text, text) IS
'Working time between two moments, as is_open says, in hours, minutes and seconds that really pass: a shift in the night of a change of the clock is an hour shorter or longer. Negative if until is before since. schedule may be NULL where a member or team is named. NULL: since or until is NULL. Errors as is_open.';

CREATE FUNCTION leadroute.available_from(member text, team text DEFAULT NULL, at timestamptz DEFAULT now(), router text DEFAULT NULL) RETURNS timestamptz
LANGUAGE c STABLE PARALLEL RESTRICTED AS 'MODULE_PATHNAME', 'lr_available_from_sql';
COMMENT ON FUNCTION leadroute.available_from(text, text, timestamptz, text) IS
'The first moment from at on at which a member is neither away nor outside of its working time: for leads of a team, by the team''s hours and with absences from this team, or (team is NULL) by its own. Limits do not count. infinity: not before it is resumed, or never. NULL: member or at is NULL. Errors as is_open.';

CREATE FUNCTION leadroute.local_days(member text, first_day date, last_day date, router text DEFAULT NULL) RETURNS tstzrange
LANGUAGE c STABLE PARALLEL RESTRICTED AS 'MODULE_PATHNAME', 'lr_local_days';
COMMENT ON FUNCTION leadroute.local_days(text, date, date, text) IS
'Whole days, both included, from midnight to midnight in the zone of a member (its own, else its schedule''s, else the router''s); NULL for member: in the router''s. Where the clock skips midnight the day begins when it jumps. NULL: a day is NULL. Error: unknown member or router, a last day before the first.';
