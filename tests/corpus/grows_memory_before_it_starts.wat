;; H16: takes memory while it is instantiated, until there is none.
(component
  (core module $m
    (memory 1)
    (func $start (local $at i32)
      (loop $again
        (local.set $at (memory.grow (i32.const 16)))
        (i32.store (i32.mul (local.get $at) (i32.const 65536)) (i32.const 1))
        (br $again)))
    (start $start)
    (func (export "run")))
  (core instance $i (instantiate $m))
  (func (export "run") (canon lift (core func $i "run"))))
