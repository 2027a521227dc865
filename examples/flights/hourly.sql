-- Departures and their mean delay, per airport and hour of schedule.
--
--   thalweg sql -f examples/flights/hourly.sql

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

-- A cancelled flight has no delay: COUNT(*) counts it, COUNT(dep_delay) and AVG do not.
SELECT
  window_start,
  origin,
  COUNT(*) AS scheduled_flights,
  COUNT(dep_delay) AS departures,
  ROUND(AVG(CAST(dep_delay AS DOUBLE)), 1) AS mean_delay
FROM TABLE(TUMBLE(TABLE flights, DESCRIPTOR(scheduled), INTERVAL '1' HOUR))
GROUP BY window_start, window_end, origin;
