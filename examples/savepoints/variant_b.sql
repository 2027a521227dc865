-- The other one: a discount of a tenth.
CREATE TABLE orders (
  id BIGINT,
  customer AS id % 10,
  amount AS id % 100,
  ts AS TIMESTAMPADD(SECOND, CAST(id AS INT), TIMESTAMP '2026-01-01 00:00:00.000'),
  WATERMARK FOR ts AS ts
) WITH (
  'connector' = 'datagen', 'rows-per-second' = '12000', 'number-of-rows' = '36000',
  'fields.id.kind' = 'sequence', 'fields.id.start' = '0', 'fields.id.end' = '35999'
);

CREATE TABLE revenue (
  window_start TIMESTAMP(3), customer BIGINT, orders BIGINT, amount BIGINT
) WITH ('connector' = 'filesystem', 'path' = 'variant_b', 'format' = 'csv');

INSERT INTO revenue
SELECT window_start, customer, COUNT(*), SUM(amount - amount / 10)
FROM TABLE(TUMBLE(TABLE orders, DESCRIPTOR(ts), INTERVAL '1' HOUR))
GROUP BY window_start, window_end, customer;
