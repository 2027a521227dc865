-- Bounded side input: each bid with a value from a table that does not change. Version 0 of each key
-- is older than every bid, so that the answer does not depend on the clock.

CREATE TABLE side_input (
  `key` BIGINT,
  valid_from AS TO_TIMESTAMP('2000-01-01 00:00:00'),
  PRIMARY KEY (`key`) NOT ENFORCED,
  WATERMARK FOR valid_from AS valid_from
) WITH (
  'connector' = 'datagen',
  'rows-per-second' = '1000000000',
  'fields.key.kind' = 'sequence',
  'fields.key.start' = '0',
  'fields.key.end' = '9999'
);

SELECT b.auction, b.bidder, b.price, b.`dateTime`, CAST(s.`key` AS STRING) AS `value`
FROM (SELECT *, MOD(auction, 10000) AS side_key FROM bid) AS b
JOIN side_input FOR SYSTEM_TIME AS OF b.`dateTime` AS s ON b.side_key = s.`key`;
