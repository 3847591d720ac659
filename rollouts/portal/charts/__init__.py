"""Pictures as coordinates: pure functions of what is drawn. Templates put them into SVG, words stand beside them."""
