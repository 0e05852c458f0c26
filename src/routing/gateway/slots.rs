//! Numbered slots for what is in flight: reused, so that nothing is allocated once warm.

/// Slots with small dense numbers.
#[derive(Clone, Debug)]
pub(super) struct Slots<T> {
    slots: Vec<Slot<T>>,
    free: Vec<u32>,
}

#[derive(Clone, Debug)]
struct Slot<T> {
    value: T,
    taken: bool,
}

impl<T> Default for Slots<T> {
    fn default() -> Self {
        Self {
            slots: vec![],
            free: vec![],
        }
    }
}

impl<T: Default> Slots<T> {
    /// Takes a slot. The value in it is that of its last use, to be overwritten in place.
    #[inline]
    pub fn take(&mut self) -> u32 {
        let number = self.free.pop().unwrap_or_else(|| self.add());
        self.slots[number as usize].taken = true;
        number
    }

    #[cold]
    fn add(&mut self) -> u32 {
        self.slots.push(Slot {
            value: T::default(),
            taken: false,
        });
        self.slots.len() as u32 - 1
    }

    /// Gives a slot back.
    pub fn release(&mut self, number: u32) {
        let slot = &mut self.slots[number as usize];
        debug_assert!(slot.taken, "released twice");
        slot.taken = false;
        self.free.push(number);
    }

    /// The value in a slot that is taken; `None` if it is not.
    pub fn get(&self, number: u32) -> Option<&T> {
        self.slots
            .get(number as usize)
            .filter(|slot| slot.taken)
            .map(|slot| &slot.value)
    }

    /// The value in a slot that the caller knows to be taken.
    pub fn get_mut(&mut self, number: u32) -> &mut T {
        &mut self.slots[number as usize].value
    }

    /// Slots taken.
    pub fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }
}
