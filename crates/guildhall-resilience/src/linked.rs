//! A doubly linked list in a slab: removals anywhere in O(1), places that stay, and no allocation once it has been as
//! long as it gets.

/// "No place": the list never holds as many.
const NONE: u32 = u32::MAX;

/// Values in an order, each known by its place in the slab while it is there.
#[derive(Debug)]
pub(crate) struct Linked<T> {
    nodes: Vec<Node<T>>,
    /// Places without a value, linked through `next`.
    free: u32,
    head: u32,
    tail: u32,
}

#[derive(Debug)]
struct Node<T> {
    value: Option<T>,
    prev: u32,
    next: u32,
}

impl<T> Linked<T> {
    pub(crate) const fn new() -> Self {
        Self {
            nodes: Vec::new(),
            free: NONE,
            head: NONE,
            tail: NONE,
        }
    }

    #[inline]
    pub(crate) fn get(&self, place: u32) -> Option<&T> {
        self.nodes.get(place as usize)?.value.as_ref()
    }

    #[inline]
    pub(crate) fn get_mut(&mut self, place: u32) -> Option<&mut T> {
        self.nodes.get_mut(place as usize)?.value.as_mut()
    }

    /// The place at the front, if there is any.
    pub(crate) fn front(&self) -> Option<u32> {
        (self.head != NONE).then_some(self.head)
    }

    /// Puts a value behind all others and says where.
    pub(crate) fn push_back(&mut self, value: T) -> u32 {
        let place = self.place(value);
        let tail = self.tail;
        let node = &mut self.nodes[place as usize];
        (node.prev, node.next) = (tail, NONE);
        match tail {
            NONE => self.head = place,
            tail => self.nodes[tail as usize].next = place,
        }
        self.tail = place;
        place
    }

    /// Takes a value out; its place is used again.
    pub(crate) fn remove(&mut self, place: u32) -> Option<T> {
        let value = self.nodes.get_mut(place as usize)?.value.take()?;
        self.unlink(place);
        self.nodes[place as usize].next = self.free;
        self.free = place;
        Some(value)
    }

    /// A place that holds the value and is not linked yet.
    fn place(&mut self, value: T) -> u32 {
        let node = Node {
            value: Some(value),
            prev: NONE,
            next: NONE,
        };
        match self.free {
            NONE => {
                self.nodes.push(node);
                // Lists are bounded far below 2³² by the configurations that size them.
                (self.nodes.len() - 1) as u32
            }
            place => {
                self.free = self.nodes[place as usize].next;
                self.nodes[place as usize] = node;
                place
            }
        }
    }

    fn unlink(&mut self, place: u32) {
        let Node { prev, next, .. } = self.nodes[place as usize];
        match prev {
            NONE => self.head = next,
            prev => self.nodes[prev as usize].next = next,
        }
        match next {
            NONE => self.tail = prev,
            next => self.nodes[next as usize].prev = prev,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use proptest::prelude::*;

    use super::*;

    fn forwards(list: &Linked<u32>) -> Vec<u32> {
        let mut at = list.head;
        std::iter::from_fn(|| {
            let node = list.nodes.get(at as usize)?;
            at = node.next;
            node.value
        })
        .collect()
    }

    fn backwards(list: &Linked<u32>) -> Vec<u32> {
        let mut at = list.tail;
        std::iter::from_fn(|| {
            let node = list.nodes.get(at as usize)?;
            at = node.prev;
            node.value
        })
        .collect()
    }

    proptest! {
        #[test]
        fn it_keeps_the_order_of_a_deque(steps in prop::collection::vec((0..2u8, 0..8usize), 0..200)) {
            let mut list = Linked::new();
            let mut model: VecDeque<(u32, u32)> = VecDeque::new();
            for (value, (step, at)) in (0..).zip(steps) {
                match step {
                    0 => model.push_back((list.push_back(value), value)),
                    _ => if let Some((place, value)) = model.remove(at) {
                        prop_assert_eq!(list.remove(place), Some(value));
                        prop_assert_eq!(list.remove(place), None);
                    },
                }
                let expect: Vec<u32> = model.iter().map(|(_, value)| *value).collect();
                prop_assert_eq!(forwards(&list), expect.clone());
                prop_assert_eq!(backwards(&list), expect.into_iter().rev().collect::<Vec<_>>());
                prop_assert_eq!(list.front(), model.front().map(|entry| entry.0));
            }
            prop_assert!(list.nodes.len() <= 200);
        }
    }
}
