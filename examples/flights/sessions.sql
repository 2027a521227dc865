-- Sessions of delay: stretches in which an airport had departures over an hour late without a pause of
-- an hour between their scheduled times.
--
--   thalweg sql -f examples/flights/sessions.sql

-- The log of departures. The first line of the file names the columns, and NA is NULL. Event time is
-- the scheduled departure; rows come as the flights left, up to 21 h 40 min later, so that with this
-- watermark no row is late.
CREATE TABLE flights (
  `year` INT,
  `month` INT,
  `day` INT,
  dep_time INT,
  sched_dep_time INT,
  dep_delay INT,
  arr_time INT,
  sched_arr_time INT,
  arr_delay INT,
  carrier STRING,
  flight INT,
  tailnum STRING,
  origin STRING,
  dest STRING,
  air_time INT,
  distance INT,
  `hour` INT,
  `minute` INT,
  time_hour STRING,
  scheduled AS TIMESTAMPADD(MINUTE, `minute`, TO_TIMESTAMP(REPLACE(REPLACE(time_hour, 'T', ' '), 'Z', ''))),
  WATERMARK FOR scheduled AS scheduled - INTERVAL '22' HOUR
) WITH (
  'connector' = 'filesystem',
  'path' = 'examples/data/flights/flights.csv.zst',
  'format' = 'csv',
  'csv.header' = 'true',
  'csv.null-literal' = 'NA'
);

CREATE VIEW delayed AS
SELECT origin, dep_delay, scheduled FROM flights WHERE dep_delay > 60;

SELECT
  origin,
  window_start,
  window_end,
  COUNT(*) AS delayed_departures,
  MAX(dep_delay) AS worst_delay
FROM TABLE(SESSION(TABLE delayed PARTITION BY origin, DESCRIPTOR(scheduled), INTERVAL '1' HOUR))
GROUP BY origin, window_start, window_end;
