;; H03: grows its memory until the host says no, writing to each page, and then writes beyond.
(component
  (core module $m
    (memory 1)
    (func (export "run") (local $at i32)
      (loop $again
        (local.set $at (memory.grow (i32.const 16)))
        (i32.store (i32.mul (local.get $at) (i32.const 65536)) (i32.const 1))
        (br $again))))
  (core instance $i (instantiate $m))
  (func (export "run") (canon lift (core func $i "run"))))
