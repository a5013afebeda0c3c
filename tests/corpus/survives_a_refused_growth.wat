;; H03: asks for 4 GiB, is told no, and returns what it was told: -1.
(component
  (core module $m
    (memory 1)
    (func (export "run") (result i32) (memory.grow (i32.const 65535))))
  (core instance $i (instantiate $m))
  (func (export "run") (result s32) (canon lift (core func $i "run"))))
