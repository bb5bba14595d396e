"""Outside venues: Binance's market followed by polling and by stream. Its trouble stays here."""
