"""What make calls: notebooks, exercises, the font. No notebook imports it."""
