"""The weekly record of reliability (R130, R131): what was promised to buyers, what was kept, and to whom least.

Orders are counted in the week of their trigger, in their store's zone, and every week as it stood the same time after
its end, so that a week that has had longer to mend does not look better for it. See docs/weekly.md.
"""
