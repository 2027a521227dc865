-- Departures more than three hours late, with the airline's name and the weather of the scheduled hour.
--
--   thalweg sql -f examples/flights/weather.sql

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

CREATE TABLE airlines (
  carrier STRING,
  name STRING
) WITH (
  'connector' = 'filesystem',
  'path' = 'examples/data/flights/airlines.csv',
  'format' = 'csv',
  'csv.header' = 'true'
);

CREATE TABLE weather (
  origin STRING,
  `year` INT,
  `month` INT,
  `day` INT,
  `hour` INT,
  temp DOUBLE,
  dewp DOUBLE,
  humid DOUBLE,
  wind_dir INT,
  wind_speed DOUBLE,
  wind_gust DOUBLE,
  precip DOUBLE,
  pressure DOUBLE,
  visib DOUBLE,
  time_hour STRING
) WITH (
  'connector' = 'filesystem',
  'path' = 'examples/data/flights/weather.csv.gz',
  'format' = 'csv',
  'csv.header' = 'true',
  'csv.null-literal' = 'NA'
);

-- Some hours have no weather: LEFT JOIN keeps their flights. While it runs, a flight that comes before
-- its weather is first shown without, then taken back and shown with it.
SELECT
  f.scheduled,
  a.name AS airline,
  f.flight,
  f.origin,
  f.dest,
  f.dep_delay,
  w.temp,
  w.wind_speed,
  w.visib,
  w.precip
FROM flights AS f
JOIN airlines AS a ON f.carrier = a.carrier
LEFT JOIN weather AS w ON f.origin = w.origin AND f.time_hour = w.time_hour
WHERE f.dep_delay > 180;
