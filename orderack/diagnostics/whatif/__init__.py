"""What if: orders of the past through a changed policy. Pure: it is handed orders and what was measured.

`looks` (what was known when) → `replay` (decide again) → `fields` (what is different) → `clocks`, `load` (what follows)
→ `simulate` (all of it, order by order) → `result` (figures) → `page`, `plots` (as one HTML file).
"""
