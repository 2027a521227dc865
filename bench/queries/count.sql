-- Bids of each auction: a keyed count whose every change is emitted.

SELECT auction, COUNT(*) AS bids
FROM bid
GROUP BY auction;
