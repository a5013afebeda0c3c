;; H04: grows its table until the host says no, and then reads beyond it.
(component
  (core module $m
    (table $t 0 funcref)
    (func (export "run") (local $at i32)
      (loop $again
        (local.set $at (table.grow $t (ref.null func) (i32.const 1000)))
        (drop (table.get $t (local.get $at)))
        (br $again))))
  (core instance $i (instantiate $m))
  (func (export "run") (canon lift (core func $i "run"))))
