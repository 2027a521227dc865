-- The three airlines with the worst mean delay of the last three hours, every hour.
--
--   thalweg sql -f examples/flights/worst_carriers.sql

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

-- Airlines with fewer than ten departures in the window are left out. The code breaks ties.
SELECT window_start, window_end, place, carrier, departures, ROUND(mean_delay, 1) AS mean_delay
FROM (
  SELECT
    *,
    ROW_NUMBER() OVER (
      PARTITION BY window_start, window_end
      ORDER BY mean_delay DESC, carrier
    ) AS place
  FROM (
    SELECT
      window_start,
      window_end,
      carrier,
      COUNT(dep_delay) AS departures,
      AVG(CAST(dep_delay AS DOUBLE)) AS mean_delay
    FROM TABLE(HOP(TABLE flights, DESCRIPTOR(scheduled), INTERVAL '1' HOUR, INTERVAL '3' HOUR))
    GROUP BY window_start, window_end, carrier
    HAVING COUNT(dep_delay) >= 10
  )
)
WHERE place <= 3;
