//! Which of many numbers is the largest.

use alloc::vec::Vec;

/// Numbers by index, and the largest of them: a binary tree in which each node is the larger one of its two children. A change
/// takes at most as many steps as the tree has levels.
#[derive(Debug, Default)]
pub(super) struct MaxTree {
    /// The root is at 1, the children of the node `n` are at `2 * n` and `2 * n + 1`; the second half are the leaves.
    nodes: Vec<u16>,
}

impl MaxTree {
    pub(super) const fn new() -> Self {
        Self { nodes: Vec::new() }
    }

    const fn leaves(&self) -> usize {
        self.nodes.len() / 2
    }

    fn node(&self, index: usize) -> u16 {
        self.nodes.get(index).copied().unwrap_or_default()
    }

    /// Sets the number of an index; before that it is 0.
    pub(super) fn set(&mut self, index: usize, number: u16) {
        if index >= self.leaves() {
            if number == 0 {
                return;
            }
            self.grow(index + 1);
        }
        let mut at = self.leaves() + index;
        let mut number = number;
        while let Some(node) = self.nodes.get_mut(at)
            && *node != number
        {
            *node = number;
            if at == 1 {
                return;
            }
            number = number.max(self.node(at ^ 1));
            at /= 2;
        }
    }

    fn grow(&mut self, leaves: usize) {
        let leaves = leaves.next_power_of_two();
        let mut nodes = alloc::vec![0; leaves];
        nodes.extend(self.nodes.iter().skip(self.leaves()));
        nodes.resize(2 * leaves, 0);
        for at in (1..leaves).rev() {
            let children = nodes.get(2 * at..2 * at + 2).unwrap_or_default();
            let largest = children.iter().copied().max().unwrap_or_default();
            if let Some(node) = nodes.get_mut(at) {
                *node = largest;
            }
        }
        self.nodes = nodes;
    }

    /// Returns the first index with the largest number; `None` if all are 0.
    pub(super) fn first_largest(&self) -> Option<usize> {
        let largest = self.node(1);
        if largest == 0 {
            return None;
        }
        let mut at = 1;
        while at < self.leaves() {
            at *= 2;
            if self.node(at) != largest {
                at += 1;
            }
        }
        Some(at - self.leaves())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_the_largest_is_found() {
        let mut tree = MaxTree::new();
        let mut numbers = [0_u16; 40];
        assert_eq!(tree.first_largest(), None);
        let mut random = 1_u32;
        for _ in 0..4_000 {
            random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let (index, number) = ((random >> 8) as usize % 40, (random >> 20) as u16 % 4);
            numbers[index] = number;
            tree.set(index, number);
            let largest = *numbers.iter().max().unwrap();
            let first = numbers.iter().position(|number| *number == largest);
            assert_eq!(tree.first_largest(), first.filter(|_| largest > 0));
        }
    }

    #[test]
    fn one_number_needs_one_leaf() {
        let mut tree = MaxTree::new();
        tree.set(0, 7);
        assert_eq!((tree.nodes.len(), tree.first_largest()), (2, Some(0)));
        tree.set(0, 0);
        assert_eq!(tree.first_largest(), None);
    }
}
