;; H22: the destructor of its resource makes and drops another one, so that each drop is in a drop.
(component
  (core module $destructor
    (table (export "table") 2 funcref)
    (func (export "destroy") (param i32)
      (call_indirect (param i32)
        (call_indirect (param i32) (result i32) (i32.const 1) (i32.const 0))
        (i32.const 1))))
  (core instance $d (instantiate $destructor))
  (type $thing (resource (rep i32) (dtor (core func $d "destroy"))))
  (core func $new (canon resource.new $thing))
  (core func $drop (canon resource.drop $thing))
  (core module $m
    (import "" "table" (table 2 funcref))
    (import "" "new" (func $new (param i32) (result i32)))
    (import "" "drop" (func $drop (param i32)))
    (elem (i32.const 0) $new $drop)
    (func (export "run") (call $drop (call $new (i32.const 1)))))
  (core instance $i (instantiate $m (with "" (instance
    (export "table" (table $d "table"))
    (export "new" (func $new))
    (export "drop" (func $drop))))))
  (func (export "run") (canon lift (core func $i "run"))))
