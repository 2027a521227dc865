-- Pass through: every bid as it is, to see what the engine alone costs.

SELECT auction, bidder, price, `dateTime`, extra
FROM bid;
