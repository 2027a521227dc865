-- Numbers into three tables that differ in their guarantee alone. One number in a hundred is slow: files of
-- these stay open until the end, all others are finished after 4 KB.
SET 'execution.checkpointing.interval' = '1 s';
SET 'execution.checkpointing.dir' = 'checkpoints';

CREATE TABLE numbers (
  id BIGINT,
  speed AS CASE WHEN id % 100 = 0 THEN 'slow' ELSE 'fast' END
) WITH (
  'connector' = 'datagen', 'rows-per-second' = '4000', 'number-of-rows' = '40000',
  'fields.id.kind' = 'sequence', 'fields.id.start' = '0', 'fields.id.end' = '39999'
);

CREATE TABLE exactly_once (id BIGINT, speed STRING) PARTITIONED BY (speed) WITH (
  'connector' = 'filesystem', 'path' = 'exactly-once', 'format' = 'csv',
  'sink.delivery-guarantee' = 'exactly-once', 'sink.rolling-policy.file-size' = '4 kb'
);
CREATE TABLE at_least_once (id BIGINT, speed STRING) PARTITIONED BY (speed) WITH (
  'connector' = 'filesystem', 'path' = 'at-least-once', 'format' = 'csv',
  'sink.delivery-guarantee' = 'at-least-once', 'sink.rolling-policy.file-size' = '4 kb'
);
CREATE TABLE no_guarantee (id BIGINT, speed STRING) PARTITIONED BY (speed) WITH (
  'connector' = 'filesystem', 'path' = 'none', 'format' = 'csv',
  'sink.delivery-guarantee' = 'none', 'sink.rolling-policy.file-size' = '4 kb'
);

EXECUTE STATEMENT SET BEGIN
  INSERT INTO exactly_once SELECT id, speed FROM numbers;
  INSERT INTO at_least_once SELECT id, speed FROM numbers;
  INSERT INTO no_guarantee SELECT id, speed FROM numbers;
END;
