;; H07: returns 4,096 lists that are all the same 8 MiB: 32 GiB of values in a memory of 16 MiB.
(component
  (core module $m
    (memory (export "memory") 256)
    (func (export "run") (result i32) (local $at i32)
      (i32.store (i32.const 0) (i32.const 16))
      (i32.store (i32.const 4) (i32.const 4096))
      (loop $again
        (i32.store offset=16 (local.get $at) (i32.const 0))
        (i32.store offset=20 (local.get $at) (i32.const 8388608))
        (local.set $at (i32.add (local.get $at) (i32.const 8)))
        (br_if $again (i32.lt_u (local.get $at) (i32.const 32768))))
      (i32.const 0)))
  (core instance $i (instantiate $m))
  (func (export "run") (result (list (list u8)))
    (canon lift (core func $i "run") (memory (core memory $i "memory")))))
