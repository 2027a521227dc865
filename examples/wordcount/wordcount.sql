-- How often each word of Hamlet's monologue occurs.
--
--   thalweg sql --final -f examples/wordcount/wordcount.sql
--
-- Without --final it shows how each count grows.

CREATE TABLE lines (
  line STRING
) WITH (
  'connector' = 'filesystem',
  'path' = 'examples/data/hamlet.txt',
  'format' = 'raw'
);

SELECT word, COUNT(*) AS occurrences
FROM lines
CROSS JOIN UNNEST(SPLIT(REGEXP_REPLACE(LOWER(line), '[^a-z'']+', ' '), ' ')) AS words (word)
WHERE word <> ''
GROUP BY word;
