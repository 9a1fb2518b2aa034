"""The inquiry site: pages, words and style; `site` serves them."""
