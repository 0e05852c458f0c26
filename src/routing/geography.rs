//! Which regions are near which: the order in which `geographic` looks at them.

use crate::request::RegionIndex;
use crate::time::Duration;

/// For each region of a user, all regions in rising order of round-trip time.
#[derive(Clone, Debug, Default)]
pub struct Geography {
    /// By user region: groups of equally near regions, nearest first.
    nearest: Vec<Vec<Vec<RegionIndex>>>,
}

impl Geography {
    /// From a square matrix of round-trip times, row by row: from (user), to (account).
    #[must_use]
    pub fn new(round_trips: &[Duration], regions: usize) -> Self {
        let nearest = (0..regions)
            .map(|from| {
                let row = &round_trips[from * regions..(from + 1) * regions];
                let mut order: Vec<usize> = (0..regions).collect();
                order.sort_by_key(|to| row[*to]);
                order
                    .chunk_by(|a, b| row[*a] == row[*b])
                    .map(|group| group.iter().map(|to| RegionIndex(*to as u16)).collect())
                    .collect()
            })
            .collect();
        Self { nearest }
    }

    /// Number of regions.
    #[must_use]
    pub fn regions(&self) -> usize {
        self.nearest.len()
    }

    /// Groups of equally near regions, nearest first; empty for an unknown region.
    #[must_use]
    pub fn nearest(&self, user: RegionIndex) -> &[Vec<RegionIndex>] {
        self.nearest.get(user.at()).map_or(&[], Vec::as_slice)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn regions_come_by_distance_and_equals_together() {
        let ms = |row: [u64; 3]| row.map(Duration::from_millis);
        let matrix = [ms([1, 90, 150]), ms([90, 1, 90]), ms([150, 90, 1])].concat();
        let geography = Geography::new(&matrix, 3);
        let names = |user| -> Vec<Vec<u16>> {
            let groups = geography.nearest(RegionIndex(user)).iter();
            groups.map(|g| g.iter().map(|r| r.0).collect()).collect()
        };
        assert_eq!(names(0), [vec![0], vec![1], vec![2]]);
        assert_eq!(names(1), [vec![1], vec![0, 2]]);
        assert!(names(7).is_empty());
    }
}
